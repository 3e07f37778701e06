// Backup runs policies.Backup with the arguments of the command line.
package main

import (
	"context"
	"log"
	"os"

	"github.com/omnibucket/storage/internal/testing/policies"
)

func main() {
	if err := policies.Backup(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
