package cookbook

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// localClient returns a client of the AWS SDK that uses the S3 server of this repository.
func localClient() *s3.Client {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String("http://127.0.0.1:9000"),
		Region:       "us-east-1",
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test-secret", ""),
	})
	return client
}
