# Everything that ngrok's Terraform provider can make, on a server of one's own.

terraform {
  required_providers {
    ngrok = {
      source = "ngrok/ngrok"
    }
  }
}

provider "ngrok" {}

variable "base_domain" { type = string }
variable "note" { type = string }
variable "certificate_pem" { type = string }
variable "private_key_pem" { type = string }
variable "ca_pem" { type = string }
variable "public_key" { type = string }

locals {
  metadata = jsonencode({ note = var.note })
}

resource "ngrok_service_user" "ci" {
  name   = "terraform"
  active = true
}

resource "ngrok_api_key" "ci" {
  description = var.note
  owner_id    = ngrok_service_user.ci.id
}

resource "ngrok_credential" "agent" {
  description = var.note
  acl         = ["bind:*.terraform.${var.base_domain}"]
}

resource "ngrok_ssh_credential" "agent" {
  description = var.note
  public_key  = var.public_key
}

resource "ngrok_tls_certificate" "shop" {
  description     = var.note
  certificate_pem = var.certificate_pem
  private_key_pem = var.private_key_pem
}

resource "ngrok_domain" "shop" {
  domain         = "terraform.example.org"
  description    = var.note
  metadata       = local.metadata
  certificate_id = ngrok_tls_certificate.shop.id
}

resource "ngrok_domain" "own" {
  domain      = "terraform.${var.base_domain}"
  description = var.note
}

resource "ngrok_tcp_address" "db" {
  description = var.note
}

resource "ngrok_certificate_authority" "staff" {
  description = var.note
  ca_pem      = var.ca_pem
}

resource "ngrok_agent_ingress" "office" {
  domain      = "agents.terraform.example.org"
  description = var.note
}

resource "ngrok_ip_policy" "office" {
  description = var.note
  metadata    = local.metadata
}

resource "ngrok_ip_policy_rule" "office" {
  ip_policy_id = ngrok_ip_policy.office.id
  cidr         = "192.0.2.0/24"
  action       = "allow"
  description  = var.note
}

resource "ngrok_ip_restriction" "dashboard" {
  type          = "dashboard"
  enforced      = false
  ip_policy_ids = [ngrok_ip_policy.office.id]
  description   = var.note
}

resource "ngrok_vault" "keys" {
  name        = "terraform"
  description = var.note
}

resource "ngrok_secret" "key" {
  name     = "terraform"
  value    = var.note
  vault_id = ngrok_vault.keys.id
}

resource "ngrok_ssh_certificate_authority" "users" {
  description      = var.note
  private_key_type = "ed25519"
}

resource "ngrok_event_destination" "logs" {
  description = var.note
  format      = "json"
  target = {
    datadog = {
      api_key = "0123456789abcdef0123456789abcdef"
      ddtags  = "env:test"
      service = "edge"
      ddsite  = "datadoghq.com"
    }
  }
}

resource "ngrok_event_subscription" "audit" {
  description     = var.note
  destination_ids = [ngrok_event_destination.logs.id]
  sources         = [{ type = "ip_policy_created.v0" }]
}

resource "ngrok_cloud_endpoint" "hello" {
  url         = "https://terraform.${var.base_domain}"
  description = var.note
  metadata    = local.metadata
  traffic_policy = jsonencode({
    on_http_request = [{
      actions = [{ type = "custom-response", config = { status_code = 200, content = var.note } }]
    }]
  })
  depends_on = [ngrok_domain.own]
}
