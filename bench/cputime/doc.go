// Package cputime tells what this process has used of the processors.
package cputime
