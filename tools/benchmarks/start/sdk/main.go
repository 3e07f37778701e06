// Command sdk stores one object with aws-sdk-go-v2 and then ends. The benchmarks measure how long
// that takes.
package main

import (
	"context"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	ctx := context.Background()
	// The credentials come from environment variables.
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"))
	if err != nil {
		log.Fatal(err)
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) {
		o.BaseEndpoint = &os.Args[1]
		o.UsePathStyle = true
	})
	put := &s3.PutObjectInput{Bucket: new("bucket"), Key: new("key"), Body: strings.NewReader("hello")}
	if _, err := client.PutObject(ctx, put); err != nil {
		log.Fatal(err)
	}
}
