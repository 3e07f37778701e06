package s3server_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage/s3server"
)

// A function receives the events for which the notification configuration of a bucket asks.
func ExampleEvent() {
	server, err := s3server.Start(s3server.Config{
		Buckets: []string{"photos"},
		Notify: func(e s3server.Event) {
			fmt.Println(e.Name, e.Key, e.Size)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client := newClient(server)
	ctx := context.Background()
	_, err = client.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
		Bucket: aws.String("photos"),
		NotificationConfiguration: &types.NotificationConfiguration{TopicConfigurations: []types.TopicConfiguration{{
			TopicArn: aws.String(s3server.DefaultEventARN),
			Events:   []types.Event{types.EventS3ObjectCreated},
		}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("cat.txt"), Body: strings.NewReader("meow")})
	if err != nil {
		log.Fatal(err)
	}
	// Output: ObjectCreated:Put cat.txt 4
}

// The test sets the server's clock, and thereby makes an object old enough for a lifecycle rule.
func ExampleHandler_RunLifecycle() {
	now := time.Now()
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}, Now: func() time.Time { return now }})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client := newClient(server)
	ctx := context.Background()
	_, err = client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: aws.String("photos"),
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			Status:     types.ExpirationStatusEnabled,
			Filter:     &types.LifecycleRuleFilter{Prefix: aws.String("tmp/")},
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(3)},
		}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"tmp/a", "kept"} {
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("photos"), Key: &key, Body: strings.NewReader("meow")})
		if err != nil {
			log.Fatal(err)
		}
	}
	now = now.AddDate(0, 0, 4)
	server.RunLifecycle()
	now = now.AddDate(0, 0, -4) // the client signs with the real time

	page, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("photos")})
	if err != nil {
		log.Fatal(err)
	}
	for _, object := range page.Contents {
		fmt.Println(*object.Key)
	}
	// Output: kept
}
