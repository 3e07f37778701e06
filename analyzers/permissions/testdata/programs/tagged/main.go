// Tagged has a file with a build tag.
package main

import (
	"context"
	"log"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

func main() { more(context.Background(), open("s3://photos")) }
