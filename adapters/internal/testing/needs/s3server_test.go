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

// A lackingService is the service of an S3 server. The layer removes a feature from each of its drivers.
type lackingService struct {
	driver.ServiceDriver
	layer driver.Layer
}

func (l lackingService) Driver(name string) (driver.Driver, error) {
	d, err := l.ServiceDriver.Driver(name)
	if err != nil {
		return nil, err
	}
	withoutFeature := l.layer(d)
	return withoutFeature, nil
}

// asUnsupported converts an error of the S3 client with the code NotImplemented to the library's Unsupported, which
// CheckDriver expects.
func asUnsupported(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "NotImplemented" {
		return &storage.Error{Code: storage.Unsupported, Err: err}
	}
	return err
}

// A beginDriver is a function for [CheckDriver]. The layer removes one feature from a store.
type beginDriver func(t *testing.T, withoutFeature driver.Layer) (finish func() error, err error)

// withGateway returns a beginDriver that starts an S3 server in front of a store that lacks a feature, and makes
// requests to it. The object "a" exists.
func withGateway(request func(t *testing.T, c *s3.Client) (finish func() error, err error)) beginDriver {
	return func(t *testing.T, withoutFeature driver.Layer) (finish func() error, err error) {
		service := lackingService{
			ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
			layer:         withoutFeature,
		}
		t.Cleanup(func() { _ = service.Close() })
		server := s3server.ForTest(t, s3server.Config{Service: service, Buckets: []string{bucket}})
		client := s3.New(s3.Options{
			Region:           s3server.DefaultRegion,
			BaseEndpoint:     aws.String(server.URL),
			UsePathStyle:     true,
			HTTPClient:       server.Client(),
			RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID,
				s3server.DefaultSecretKey, ""),
		})
		if _, err := client.PutObject(t.Context(), putInput("a", "abc")); err != nil {
			return nil, asUnsupported(err)
		}

		finish, err = request(t, client)
		return finish, asUnsupported(err)
	}
}

func putInput(key, content string) *s3.PutObjectInput {
	return &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(content)}
}

// putObject stores an object in one request. change adds a condition, a property or a lock to the request.
func putObject(change func(*s3.PutObjectInput)) beginDriver {
	return withGateway(func(t *testing.T, c *s3.Client) (finish func() error, err error) {
		input := putInput("b", "abc")
		change(input)
		_, err = c.PutObject(t.Context(), input)
		return noFinish, err
	})
}

// If its store lacks a feature that a request needs, the S3 server fails with NotImplemented. The file needs.txt says
// which features the requests of each row need.
func TestGatewayRefusesWhatItsStoreLacks(t *testing.T) {
	name := aws.String(bucket)
	key := aws.String("a")
	// Each function makes requests to a server whose store lacks one feature. CheckDriver calls it once for each feature,
	// and requires that the function fails if the row names this feature, and succeeds otherwise.
	for row, begin := range map[string]beginDriver{
		"s3server.Config.Service": withGateway(func(t *testing.T, c *s3.Client) (func() error, error) {
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
		"s3server: an upload in parts": withGateway(func(t *testing.T, c *s3.Client) (func() error, error) {
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
		"s3server: If-None-Match": putObject(func(in *s3.PutObjectInput) {
			in.IfNoneMatch = aws.String("*")
		}),
		"s3server: If-Match": withGateway(func(t *testing.T, c *s3.Client) (func() error, error) {
			head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: key})
			if err != nil {
				return nil, err
			}
			input := putInput("a", "new")
			input.IfMatch = head.ETag
			_, err = c.PutObject(t.Context(), input)
			return noFinish, err
		}),
		"s3server: a storage class": putObject(func(in *s3.PutObjectInput) {
			in.StorageClass = types.StorageClassStandardIa
		}),
		"s3server: tags": putObject(func(in *s3.PutObjectInput) {
			in.Tagging = aws.String("a=b")
		}),
	} {
		t.Run(row, func(t *testing.T) {
			CheckDriver(t, row, begin)
		})
	}
}
