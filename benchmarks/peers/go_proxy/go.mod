module go_proxy

go 1.21
