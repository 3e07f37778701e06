package s3server_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/omnibucket/storage/s3server"
)

// A key of the bucket's account may write. A read-only key of that account may not.
func ExampleCredential() {
	keys := []s3server.Credential{
		{AccessKeyID: "writer", SecretKey: "writer-secret"},
		{AccessKeyID: "reader", SecretKey: "reader-secret", ReadOnly: true},
	}
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}, Credentials: keys})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	for _, key := range keys {
		client := s3.New(s3.Options{
			BaseEndpoint: aws.String(server.URL),
			Region:       s3server.DefaultRegion,
			UsePathStyle: true,
			HTTPClient:   server.Client(),
			Credentials:  credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretKey, ""),
		})
		_, err := client.PutObject(context.Background(), &s3.PutObjectInput{
			Bucket: aws.String("photos"),
			Key:    aws.String("cat.txt"),
			Body:   strings.NewReader("meow"),
		})
		var apiErr smithy.APIError
		if errors.As(err, &apiErr) {
			fmt.Println(key.AccessKeyID, apiErr.ErrorCode())
		} else if err == nil {
			fmt.Println(key.AccessKeyID, "may write")
		}
	}
	// Output:
	// writer may write
	// reader AccessDenied
}
