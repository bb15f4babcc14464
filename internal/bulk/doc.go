// Package bulk sends one letter to many people: a table gives the variables, a
// letter makes a message of each row, and a journal remembers what became of it.
//
// A row is known by its recipients, not by its place or its other values: a
// table may be corrected between two runs, and nobody who has the message gets
// it again. The journal is written ahead: a line before the octets that can
// deliver a message, another with the outcome. Whatever happens to the process
// in between, a row is then either provably not sent, or listed as unknown.
package bulk
