// Package crashpoint names places at which the crash tests kill the process. In a
// program that was not built with the tag crashpoints, a place costs nothing.
package crashpoint
