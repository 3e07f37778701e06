// Bounds checks limits on how much a reader of this repository must keep in mind. It prints each
// limit that is exceeded, and the reason for the limit:
//
//	go run -C tools ./checks/bounds
//
// Other programs check further limits. The analyzer structure checks the methods of a type and the
// files of a folder. The program internal/testing/corefiles checks the number of files that one
// call runs.
package main

import (
	"fmt"
	"os"

	"github.com/omnibucket/storage/tools/checks/repository"
)

func main() {
	var passed []string
	err := repository.Enter()
	if err == nil {
		passed, err = check(".")
	}
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
