module ngrok_api_go

go 1.21

require github.com/ngrok/ngrok-api-go/v7 v7.8.0
