package s3server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// newClient shows all the settings that a client of aws-sdk-go-v2 needs.
func newClient(server *s3server.Server) *s3.Client {
	key := server.Credentials()
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(server.URL),
		Region:       s3server.DefaultRegion,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretKey, key.SessionToken),
		HTTPClient:   server.Client(),
	})
}

// A test starts the server with one line.
func ExampleForTest() {
	_ = func(t *testing.T) {
		server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}})

		client := newClient(server)
		_, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("photos")})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The AWS SDK for Go stores an object and reads it.
func ExampleStart() {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client := newClient(server)
	ctx := context.Background()
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("photos"),
		Key:    aws.String("cat.txt"),
		Body:   strings.NewReader("meow"),
	})
	if err != nil {
		log.Fatal(err)
	}
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("cat.txt")})
	if err != nil {
		log.Fatal(err)
	}
	defer object.Body.Close()
	content, err := io.ReadAll(object.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", content, *object.ETag)
	// Output: meow "4a4be40c96ac6314e91d93f38043a634"
}

// This library opens a bucket by its address, and takes the credentials from the environment.
func ExampleServer_Address() {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		os.Setenv(name, value)
		defer os.Unsetenv(name)
	}

	ctx := context.Background()
	photos, err := storage.Open(ctx, server.Address("photos"))
	if err != nil {
		log.Fatal(err)
	}
	defer storage.Close(photos)
	attrs, err := photos.Upload(ctx, "cat.txt", strings.NewReader("meow"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attrs.Size)
	// Output: 4
}

// A program in any language finds the server by its environment.
func ExampleServer_Env() {
	_ = func(t *testing.T) {
		server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}})
		command := exec.CommandContext(t.Context(), "aws", "s3", "ls", "s3://photos")
		command.Env = append(os.Environ(), server.Env()...)
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
	}
}

// The first attempt fails, and the SDK retries it.
func ExampleHandler_Inject() {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.Inject(s3server.Fail("PutObject", "SlowDown").Once())

	_, err = newClient(server).PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String("photos"),
		Key:    aws.String("cat.txt"),
		Body:   strings.NewReader("meow"),
	})
	fmt.Println(err, server.Count("PutObject"))
	// Output: <nil> 2
}

// With the Bucket of a server, a test can store objects and read them without an SDK.
func ExampleHandler_Bucket() {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	photos := server.Bucket("photos")
	if _, err := photos.Upload(ctx, "cat.txt", strings.NewReader("meow")); err != nil {
		log.Fatal(err)
	}

	_, err = newClient(server).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: aws.String("cat.txt")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = photos.Attrs(ctx, "cat.txt")
	fmt.Println(errors.Is(err, storage.ObjectNotFound))
	// Output: true
}

// A program in any language adds a fault by HTTP.
func ExampleConfig_adminToken() {
	server, err := s3server.Start(s3server.Config{AdminToken: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	// curl -H "Authorization: Bearer secret" -d '{"operation":"PutObject",…}' $URL/_admin/faults
	fault := strings.NewReader(`{"operation":"PutObject","key":"tmp/*","error":"SlowDown","times":2}`)
	request, err := http.NewRequest(http.MethodPost, server.URL+"/_admin/faults", fault)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer secret")
	response, err := server.Client().Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	io.Copy(os.Stdout, response.Body)
	// Output: {"id":1}
}
