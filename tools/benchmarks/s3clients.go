package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-kit/log"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"
	objstores3 "github.com/thanos-io/objstore/providers/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/s3"
)

// These are the names of the rows for S3.
const (
	rawSDK          = "aws-sdk-go-v2"
	rawStream       = rawSDK + ", one stream"
	rawUnchecked    = rawSDK + ", no check"
	sdkManager      = "feature/s3/manager"
	transferManager = "feature/s3/transfermanager"
	transferRanges  = transferManager + ", ranges"
	minioGo         = "minio-go"
	goCloudS3       = "gocloud s3blob"
	objstoreS3      = "objstore s3"
	plainHTTP       = "net/http"
)

// The null server accepts any credentials.
const (
	s3Bucket  = "bucket"
	s3Region  = "us-east-1"
	accessKey = "benchmarks"
	secretKey = "benchmarks-secret"
)

// openS3 opens a bucket with this library and the profile of Amazon S3.
func openS3(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	profile, _ := s3.NamedProfile("aws")
	return openS3Profile(ctx, server, &profile, opts)
}

// openUnknownS3 opens a bucket with this library, but without a profile. A user who has only the
// endpoint of a server opens a bucket in this way.
func openUnknownS3(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	return openS3Profile(ctx, server, nil, opts)
}

func openS3Profile(
	ctx context.Context, server string, profile *s3.Profile, opts []storage.OpenOption,
) (storage.Bucket, error) {
	return s3.Open(ctx, s3.Config{
		Bucket:      s3Bucket,
		Region:      s3Region,
		Endpoint:    server,
		PathStyle:   new(true),
		Profile:     profile,
		AccessKeyID: accessKey,
		SecretKey:   secretKey,
	}, opts...)
}

// sdk returns a client of the SDK with its defaults. By default, it computes and verifies a
// checksum whenever that is possible.
func sdk(server string) *awss3.Client {
	return awss3.New(awss3.Options{
		Region:       s3Region,
		BaseEndpoint: &server,
		UsePathStyle: true,
		Credentials:  awscredentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		// Otherwise the SDK would log a warning for each object without a checksum.
		DisableLogOutputChecksumValidationSkipped: true,
	})
}

// sdkUnchecked returns a client of the SDK that computes a checksum only if S3 requires one.
func sdkUnchecked(server string) *awss3.Client {
	o := sdk(server).Options()
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	return awss3.New(o)
}

// s3SDK returns a client of the SDK, without its transfer manager, as a contender.
func s3SDK(name string, connect func(server string) *awss3.Client) contender {
	return contender{
		name: name,
		open: func(_ *env, server string) (client, error) {
			c := connect(server)
			s := &s3SDKBucket{c, awss3.NewPresignClient(c)}
			return client{
				put:    s.put,
				open:   s.open,
				list:   s.list,
				sign:   s.sign,
				random: s.random,
				ranges: s.ranges,
			}, nil
		},
	}
}

// An s3SDKBucket makes the operations with the SDK.
type s3SDKBucket struct {
	client *awss3.Client
	signer *awss3.PresignClient
}

func (s *s3SDKBucket) put(ctx context.Context, key string, data []byte) error {
	_, err := s.client.PutObject(ctx, &awss3.PutObjectInput{
		Bucket:      aws.String(s3Bucket),
		Key:         &key,
		Body:        bytes.NewReader(data),
		ContentType: aws.String(contentType),
	})
	return err
}

func (s *s3SDKBucket) open(ctx context.Context, key string) (io.ReadCloser, error) {
	output, err := s.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
	if err != nil {
		return nil, err
	}
	return output.Body, nil
}

func (s *s3SDKBucket) list(ctx context.Context, prefix string, each func()) error {
	pages := awss3.NewListObjectsV2Paginator(s.client, &awss3.ListObjectsV2Input{
		Bucket: aws.String(s3Bucket),
		Prefix: &prefix,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for range page.Contents {
			each()
		}
	}
	return nil
}

func (s *s3SDKBucket) sign(ctx context.Context, key string) error {
	input := &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key}
	_, err := s.signer.PresignGetObject(ctx, input, awss3.WithPresignExpires(time.Hour))
	return err
}

func (s *s3SDKBucket) random(ctx context.Context, key string) (randomAccess, error) {
	return &sdkObject{ctx, s.client, key}, nil
}

// ranges makes up to 16 requests at the same time, one for each range.
func (s *s3SDKBucket) ranges(ctx context.Context, key string, ranges []storage.Range) error {
	return running.Each(ctx, len(ranges), 16, func(ctx context.Context, i int) error {
		object := &sdkObject{ctx, s.client, key}
		_, err := object.ReadAt(make([]byte, ranges[i].Length), ranges[i].Offset)
		return err
	})
}

// An sdkObject reads an object with the SDK. Each ReadAt makes a request for a range.
type sdkObject struct {
	ctx    context.Context
	client *awss3.Client
	key    string
}

func (o *sdkObject) ReadAt(p []byte, off int64) (int, error) {
	output, err := o.client.GetObject(o.ctx, &awss3.GetObjectInput{
		Bucket: aws.String(s3Bucket),
		Key:    &o.key,
		Range:  aws.String(fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1)),
	})
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(output.Body, p)
	return n, errors.Join(err, output.Body.Close())
}

func (o *sdkObject) Close() error { return nil }

// s3TransferManager returns the newer of the SDK's two transfer managers as a contender.
func s3TransferManager(name string, kind transfertypes.GetObjectType) contender {
	return contender{
		name: name,
		open: func(_ *env, server string) (client, error) {
			c := transfermanager.New(sdk(server), func(o *transfermanager.Options) {
				o.GetObjectType = kind
			})
			s := transferManagerBucket{c}
			return client{put: putBy(s.upload), upload: s.upload, open: s.open, file: s.file}, nil
		},
	}
}

// A transferManagerBucket makes the operations with the newer transfer manager.
type transferManagerBucket struct{ client *transfermanager.Client }

func (s transferManagerBucket) upload(ctx context.Context, key string, body io.Reader, _ int64) error {
	_, err := s.client.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket:      aws.String(s3Bucket),
		Key:         &key,
		Body:        body,
		ContentType: aws.String(contentType),
	})
	return err
}

func (s transferManagerBucket) open(ctx context.Context, key string) (io.ReadCloser, error) {
	output, err := s.client.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
	if err != nil {
		return nil, err
	}
	return io.NopCloser(output.Body), nil
}

func (s transferManagerBucket) file(ctx context.Context, key, name string) error {
	return writeFile(name, func(w io.WriterAt) error {
		_, err := s.client.DownloadObject(ctx, &transfermanager.DownloadObjectInput{
			Bucket:   aws.String(s3Bucket),
			Key:      &key,
			WriterAt: w,
		})
		return err
	})
}

func openMinio(_ *env, server string) (client, error) {
	u, err := url.Parse(server)
	if err != nil {
		return client{}, err
	}
	c, err := minio.New(u.Host, &minio.Options{
		Creds:        miniocredentials.NewStaticV4(accessKey, secretKey, ""),
		Secure:       u.Scheme == "https",
		Region:       s3Region,
		BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		return client{}, err
	}
	s := minioBucket{c}
	return client{
		put:    putBy(s.upload),
		upload: s.upload,
		open:   s.open,
		file:   s.file,
		list:   s.list,
		sign:   s.sign,
		random: s.random,
	}, nil
}

// A minioBucket makes the operations with minio-go.
type minioBucket struct{ client *minio.Client }

func (s minioBucket) upload(ctx context.Context, key string, body io.Reader, size int64) error {
	_, err := s.client.PutObject(ctx, s3Bucket, key, body, size, minio.PutObjectOptions{ContentType: contentType})
	return err
}

func (s minioBucket) open(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.client.GetObject(ctx, s3Bucket, key, minio.GetObjectOptions{})
}

func (s minioBucket) file(ctx context.Context, key, name string) error {
	return s.client.FGetObject(ctx, s3Bucket, key, name, minio.GetObjectOptions{})
}

func (s minioBucket) list(ctx context.Context, prefix string, each func()) error {
	options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true}
	for object := range s.client.ListObjects(ctx, s3Bucket, options) {
		if object.Err != nil {
			return object.Err
		}
		each()
	}
	return nil
}

func (s minioBucket) sign(ctx context.Context, key string) error {
	_, err := s.client.PresignedGetObject(ctx, s3Bucket, key, time.Hour, nil)
	return err
}

func (s minioBucket) random(ctx context.Context, key string) (randomAccess, error) {
	return s.client.GetObject(ctx, s3Bucket, key, minio.GetObjectOptions{})
}

func openS3Blob(ctx context.Context, server string) (goCloud, error) {
	b, err := s3blob.OpenBucket(ctx, sdk(server), s3Bucket, nil)
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}

func openObjstore(_ *env, server string) (client, error) {
	u, err := url.Parse(server)
	if err != nil {
		return client{}, err
	}
	config := objstores3.DefaultConfig
	config.Bucket = s3Bucket
	config.Endpoint = u.Host
	config.Region = s3Region
	config.AccessKey = accessKey
	config.SecretKey = secretKey
	config.Insecure = u.Scheme == "http"
	config.BucketLookupType = objstores3.PathLookup
	b, err := objstores3.NewBucketWithConfig(log.NewNopLogger(), config, "benchmarks", nil)
	if err != nil {
		return client{}, err
	}

	s := objstoreBucket{b}
	return client{
		put:    s.put,
		upload: func(ctx context.Context, key string, body io.Reader, _ int64) error { return s.upload(ctx, key, body) },
		open:   func(ctx context.Context, key string) (io.ReadCloser, error) { return s.bucket.Get(ctx, key) },
		list:   s.list,
	}, nil
}

// openPlain returns a client that sends one unsigned HTTP request for each object. No client can do
// less.
func openPlain(_ *env, server string) (client, error) {
	s := &plainBucket{&http.Client{}, server + "/" + s3Bucket}
	return client{put: putBy(s.upload), upload: s.upload, open: s.open}, nil
}

// A plainBucket makes the operations with net/http.
type plainBucket struct {
	client *http.Client
	url    string // of the bucket
}

func (s *plainBucket) upload(ctx context.Context, key string, body io.Reader, size int64) error {
	response, err := s.do(ctx, http.MethodPut, key, body, size)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response)
	return errors.Join(err, response.Close())
}

func (s *plainBucket) open(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.do(ctx, http.MethodGet, key, nil, 0)
}

// do sends a request, and returns the body of the response.
func (s *plainBucket) do(ctx context.Context, method, key string, body io.Reader, size int64) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.url+"/"+key, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = size
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}
