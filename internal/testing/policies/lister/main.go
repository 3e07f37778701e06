// Lister runs policies.Lister with the arguments of the command line.
package main

import (
	"context"
	"log"
	"os"

	"github.com/omnibucket/storage/internal/testing/policies"
)

func main() {
	sum, err := policies.Lister(context.Background(), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Print(sum, " bytes")
}
