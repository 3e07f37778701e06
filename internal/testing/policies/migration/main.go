// Migration runs policies.Migration with the arguments of the command line.
package main

import (
	"context"
	"log"
	"os"

	"github.com/omnibucket/storage/internal/testing/policies"
)

func main() {
	if err := policies.Migration(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}
