package parsers_test

func reason(parser, name, field string) (string, bool) { return "", false }
