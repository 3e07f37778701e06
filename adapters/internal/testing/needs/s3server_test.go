package needs

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

const bucket = "bucket"

// A lackingService is that of a gateway whose store lacks a feature.
type lackingService struct {
	driver.ServiceDriver
	layer driver.Layer
}

func (l lackingService) Driver(name string) (driver.Driver, error) {
	d, err := l.ServiceDriver.Driver(name)
	if err != nil {
		return nil, err
	}
	return l.layer(d), nil
}

// asUnsupported returns NotImplemented as the error of the library.
func asUnsupported(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "NotImplemented" {
		return &storage.Error{Code: storage.Unsupported, Err: err}
	}
	return err
}

// through makes requests to a gateway. The object "a" exists.
func through(
	request func(t *testing.T, c *s3.Client) (finish func() error, err error),
) func(*testing.T, driver.Layer) (func() error, error) {
	return func(t *testing.T, lacking driver.Layer) (func() error, error) {
		service := lackingService{memstore.NewServiceDriver(memstore.ServiceConfig{}), lacking}
		t.Cleanup(func() { _ = service.Close() })
		s := s3server.ForTest(t, s3server.Config{Service: service, Buckets: []string{bucket}})
		client := s3.New(s3.Options{
			Region:           s3server.DefaultRegion,
			BaseEndpoint:     aws.String(s.URL),
			UsePathStyle:     true,
			HTTPClient:       s.Client(),
			RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID,
				s3server.DefaultSecretKey, ""),
		})
		if _, err := client.PutObject(t.Context(), putInput("a", "abc")); err != nil {
			return nil, asUnsupported(err)
		}
		finish, err := request(t, client)
		return finish, asUnsupported(err)
	}
}

func putInput(key, content string) *s3.PutObjectInput {
	return &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(content)}
}

// putWith stores an object with a condition, a property or a lock.
func putWith(change func(*s3.PutObjectInput)) func(*testing.T, driver.Layer) (func() error, error) {
	return through(func(t *testing.T, c *s3.Client) (func() error, error) {
		input := putInput("b", "abc")
		change(input)
		_, err := c.PutObject(t.Context(), input)
		return func() error { return nil }, err
	})
}

// The S3 server fails with NotImplemented for what its store lacks.
func TestGatewayRefusesWhatItsStoreLacks(t *testing.T) {
	name := aws.String(bucket)
	key := aws.String("a")
	for row, begin := range map[string]func(*testing.T, driver.Layer) (func() error, error){
		"s3server.Config.Service": through(func(t *testing.T, c *s3.Client) (func() error, error) {
			return func() error {
				_, got := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: key})
				_, headed := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: key})
				_, listed := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name})
				_, copyErr := c.CopyObject(t.Context(), &s3.CopyObjectInput{
					Bucket:     name,
					Key:        aws.String("c"),
					CopySource: aws.String(bucket + "/a"),
				})
				_, removeErr := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: key})
				return errors.Join(got, headed, listed, copyErr, removeErr)
			}, nil
		}),
		"s3server: an upload in parts": through(func(t *testing.T, c *s3.Client) (func() error, error) {
			upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: name,
				Key:    key,
			})
			if err != nil {
				return nil, err
			}
			return func() error {
				part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
					Bucket:     name,
					Key:        key,
					UploadId:   upload.UploadId,
					PartNumber: aws.Int32(1),
					Body:       strings.NewReader("abc"),
				})
				if err != nil {
					return err
				}
				_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
					Bucket:   name,
					Key:      key,
					UploadId: upload.UploadId,
					MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{
						PartNumber: aws.Int32(1),
						ETag:       part.ETag,
					}}},
				})
				return err
			}, nil
		}),
		"s3server: If-None-Match": putWith(func(in *s3.PutObjectInput) {
			in.IfNoneMatch = aws.String("*")
		}),
		"s3server: If-Match": through(func(t *testing.T, c *s3.Client) (func() error, error) {
			head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: key})
			if err != nil {
				return nil, err
			}
			input := putInput("a", "new")
			input.IfMatch = head.ETag
			_, err = c.PutObject(t.Context(), input)
			return func() error { return nil }, err
		}),
		"s3server: a storage class": putWith(func(in *s3.PutObjectInput) {
			in.StorageClass = types.StorageClassStandardIa
		}),
		"s3server: tags": putWith(func(in *s3.PutObjectInput) {
			in.Tagging = aws.String("a=b")
		}),
	} {
		t.Run(row, func(t *testing.T) {
			CheckDriver(t, row, begin)
		})
	}
}
