module presence-client

go 1.21
