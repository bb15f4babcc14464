package state

// Die ends the process that d stands for, as a kill does.
func (d *Dir) Die() error { return d.alive.Close() }

// FileName is fileName.
var FileName = fileName
