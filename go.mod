module github.com/kaizenmail/kaizen

go 1.26
