package main

import (
	"strings"
	"testing"
)

func TestReadReceipts(t *testing.T) {
	t.Parallel()
	const (
		logged  = "7 pwrite64(5</q/queue.db-wal>, \"...\", 4096, 0) = 4096\n"
		synced  = "7 fdatasync(5</q/queue.db-wal>) = 0\n"
		receipt = `7 write(1<pipe:[1]>, "{\"what\":\"queued\",\"key\":\"1\"}\n", 30) = 30` + "\n"
		trying  = `7 write(1<pipe:[1]>, "{\"what\":\"trying\",\"key\":\"1\"}\n", 30) = 30` + "\n"
		body    = "7 write(6</q/bodies/new-1>, \"...\", 4096) = 4096\n"
		kept    = "7 fsync(6</q/bodies/new-1>) = 0\n"
		linked  = `7 linkat(AT_FDCWD</w>, "/q/bodies/new-1", AT_FDCWD</w>, "/q/bodies/ab/abc", 0) = 0` + "\n"
		listed  = "7 fsync(8</q/bodies/ab>) = 0\n"
	)
	for name, c := range map[string]struct {
		trace string
		wrong string
	}{
		"right":                  {trying + logged + synced + receipt, ""},
		"right with a body":      {body + kept + linked + listed + logged + synced + receipt, ""},
		"in pieces":              {logged + "8 fsync(5</q/queue.db-wal> <unfinished ...>\n" + trying + "8 <... fsync resumed>) = 0\n" + receipt, ""},
		"database only":          {logged + synced + "7 pwrite64(4</q/queue.db>, \"...\", 4096, 0) = 4096\n" + receipt, ""},
		"elsewhere":              {logged + synced + "7 write(9</x/a-wal>, \"\", 1) = 1\n" + receipt, ""},
		"not synchronised":       {logged + receipt, "-wal was written and not synchronised"},
		"too late":               {logged + receipt + synced, "-wal was written and not synchronised"},
		"failed":                 {logged + "7 fsync(5</q/queue.db-wal>) = -1 EIO (Input/output error)\n" + receipt, "-wal was written"},
		"not finished":           {logged + "8 fsync(5</q/queue.db-wal> <unfinished ...>\n" + receipt, "-wal was written"},
		"finished with an error": {logged + "8 fsync(5</q/queue.db-wal> <unfinished ...>\n8 <... fsync resumed>) = -1 EIO\n" + receipt, "-wal was written"},
		"body not synchronised":  {body + linked + listed + logged + synced + receipt, "/q/bodies/new-1 was written"},
		"name not synchronised":  {body + kept + linked + logged + synced + receipt, "/q/bodies/ab was written"},
		"nothing written":        {logged + synced + receipt + receipt, "receipt 2: nothing was written"},
	} {
		receipts, violations := readReceipts(strings.NewReader(c.trace), "/q")
		if receipts != strings.Count(c.trace, "queued") || (c.wrong == "") != (len(violations) == 0) || !strings.Contains(strings.Join(violations, "\n"), c.wrong) {
			t.Errorf("%s: %d receipts, %q", name, receipts, violations)
		}
	}
}
