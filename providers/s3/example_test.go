package s3_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// Credentials come from the environment, as for Amazon's tools. A server other than Amazon's needs
// an endpoint, and a profile says which rules it enforces. The address of this bucket is
// s3://photos?endpoint=https://0123abcd.r2.cloudflarestorage.com.
func ExampleOpen() {
	ctx := context.Background()
	bucket, err := s3.Open(ctx, s3.Config{
		Bucket:   "photos",
		Endpoint: "https://0123abcd.r2.cloudflarestorage.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer storage.Close(bucket)
	_, err = bucket.Upload(ctx, "cat.jpg", strings.NewReader("…"), storage.IfAbsent())
	fmt.Println(errors.Is(err, storage.PreconditionFailed)) // true, if the object exists
}

// Every object that is written is encrypted with a key of AWS KMS. The address is
// s3://invoices?region=eu-west-1&kms_key=….
func ExampleOpen_withAKMSKey() {
	ctx := context.Background()
	bucket, err := s3.Open(ctx, s3.Config{
		Bucket: "invoices",
		Region: "eu-west-1",
		KMSKey: "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	attrs, err := bucket.Upload(ctx, "2026/17.pdf", strings.NewReader("…"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(attrs.Encryption.KeyID)
}

// Every read of the object needs the key with which the object was written.
func ExampleWithCustomerKey() {
	ctx := context.Background()
	bucket, err := s3.Open(ctx, s3.Config{Bucket: "invoices", Region: "eu-west-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // keep it: nobody else has it
	key := s3.WithCustomerKey(secret)
	if _, err := bucket.Upload(ctx, "2026/17.pdf", strings.NewReader("…"), key); err != nil {
		fmt.Println(err)
		return
	}
	content, _, err := storage.ReadAll(ctx, bucket, "2026/17.pdf", key)
	fmt.Println(len(content), err)
}

// A function changes the request of an upload. It sets a field for which the library has no option.
func ExampleWithRequest() {
	ctx := context.Background()
	bucket, err := s3.Open(ctx, s3.Config{Bucket: "site", Region: "eu-west-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = bucket.Upload(ctx, "old.html", strings.NewReader(""), s3.WithRequest(func(input *awss3.PutObjectInput) {
		input.WebsiteRedirectLocation = aws.String("/new.html")
	}))
	fmt.Println(err)
}

// storage.AttrsAs returns the response of S3 itself, which has more fields than Attrs.
func Example_nativeAttrs() {
	ctx := context.Background()
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	bucket, err := s3.Open(ctx, s3.Config{
		Endpoint:    server.URL,
		Bucket:      "photos",
		Region:      s3server.DefaultRegion,
		PathStyle:   new(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		_ = storage.Close(bucket)
	}()
	if _, err := bucket.Upload(ctx, "cat.jpg", strings.NewReader("a cat")); err != nil {
		fmt.Println(err)
		return
	}
	attrs, err := bucket.Attrs(ctx, "cat.jpg", storage.WithNativeAttrs())
	if err != nil {
		fmt.Println(err)
		return
	}
	if native, ok := storage.AttrsAs[*awss3.HeadObjectOutput](attrs); ok {
		fmt.Println(*native.AcceptRanges)
	}
	// Output: bytes
}
