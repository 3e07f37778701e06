// Command page writes docs/permissions.md to its standard output.
package main

import (
	"fmt"

	"github.com/omnibucket/storage/providers/internal/testing/permissions"
)

func main() { fmt.Print(permissions.Page()) }
