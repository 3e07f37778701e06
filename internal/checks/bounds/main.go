// Bounds checks what a reader of this repository has to hold in mind. It prints each bound that is passed, and why
// there is one:
//
//	go run ./internal/checks/bounds
//
// More bounds are checked elsewhere: the methods of a type and the files of a folder by the analyzer structure, and
// the files that one call runs by internal/testing/corefiles.
package main

import (
	"fmt"
	"os"
)

func main() {
	passed, err := check(".")
	for _, p := range passed {
		fmt.Println(p)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "bounds:", err)
		os.Exit(2)
	case len(passed) > 0:
		os.Exit(1)
	}
}
