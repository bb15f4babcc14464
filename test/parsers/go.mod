module github.com/kaizenmail/kaizen/test/parsers

go 1.26.0

replace github.com/kaizenmail/kaizen => ../..

require github.com/kaizenmail/kaizen v0.0.0

require (
	github.com/emersion/go-msgauth v0.7.0 // indirect
	github.com/xdg-go/scram v1.4.0 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
