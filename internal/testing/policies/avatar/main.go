// Avatar runs policies.Avatar with the arguments of the command line.
package main

import (
	"context"
	"log"
	"os"

	"github.com/omnibucket/storage/internal/testing/policies"
)

func main() {
	if err := policies.Avatar(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
