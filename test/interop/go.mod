module github.com/kaizenmail/kaizen/test/interop

go 1.26.0

replace github.com/kaizenmail/kaizen => ../..

require (
	github.com/elazarl/goproxy v1.9.4
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6
	github.com/emersion/go-smtp v0.25.1
	github.com/kaizenmail/kaizen v0.0.0
	github.com/things-go/go-socks5 v0.0.6
	golang.org/x/crypto v0.58.0
)

require (
	github.com/emersion/go-msgauth v0.7.0 // indirect
	github.com/ncruces/go-sqlite3 v0.37.0 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.5.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	github.com/xdg-go/scram v1.4.0 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
