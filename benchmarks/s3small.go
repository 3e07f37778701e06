package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/benchmarks/nullserver"
)

// A small object goes up from memory, and comes down into the caller's buffer.
type (
	putter func(ctx context.Context, key string, data []byte) error
	getter func(ctx context.Context, key string, buffer []byte) error
)

// smallS3 are the contenders; open makes a client for a server.
var smallS3 = []struct {
	name string
	open func(ctx context.Context, server string) (putter, getter, error)
}{
	{ours, smallOurs},
	{rawSDK, smallRaw},
	{sdkManager, smallManager},
	{transferManager, smallTransferManager},
	{minioGo, smallMinio},
	{goCloudS3, smallGoCloud},
	{objstoreS3, smallObjstore},
	{plainHTTP, smallPlain},
}

func smallOurs(ctx context.Context, server string) (putter, getter, error) {
	b, err := ownS3(ctx, server)
	return func(ctx context.Context, key string, data []byte) error {
			_, err := b.Upload(ctx, key, bytes.NewReader(data), storage.WithContentType(contentType))
			return err
		}, func(ctx context.Context, key string, buffer []byte) error {
			r, err := b.Download(ctx, key)
			if err != nil {
				return err
			}
			return drain(r, buffer)
		}, err
}

func smallRaw(_ context.Context, server string) (putter, getter, error) {
	client := sdk(server)
	return func(ctx context.Context, key string, data []byte) error {
			_, err := client.PutObject(ctx, &awss3.PutObjectInput{
				Bucket: aws.String(s3Bucket), Key: &key, Body: bytes.NewReader(data), ContentType: aws.String(contentType),
			})
			return err
		}, func(ctx context.Context, key string, buffer []byte) error {
			out, err := client.GetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
			if err != nil {
				return err
			}
			return drain(out.Body, buffer)
		}, nil
}

func smallTransferManager(_ context.Context, server string) (putter, getter, error) {
	client := transfermanager.New(sdk(server))
	return func(ctx context.Context, key string, data []byte) error {
			_, err := client.UploadObject(ctx, &transfermanager.UploadObjectInput{
				Bucket: aws.String(s3Bucket), Key: &key, Body: bytes.NewReader(data), ContentType: aws.String(contentType),
			})
			return err
		}, func(ctx context.Context, key string, buffer []byte) error {
			out, err := client.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
			if err != nil {
				return err
			}
			return drain(io.NopCloser(out.Body), buffer)
		}, nil
}

func smallMinio(_ context.Context, server string) (putter, getter, error) {
	client, err := minioClient(server)
	return func(ctx context.Context, key string, data []byte) error {
			_, err := client.PutObject(ctx, s3Bucket, key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{ContentType: contentType})
			return err
		}, func(ctx context.Context, key string, buffer []byte) error {
			object, err := client.GetObject(ctx, s3Bucket, key, minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			return drain(object, buffer)
		}, err
}

func smallGoCloud(ctx context.Context, server string) (putter, getter, error) {
	s, err := goCloudBucket(ctx, server)
	return s.put, func(ctx context.Context, key string, buffer []byte) error {
		r, err := s.bucket.NewReader(ctx, key, nil)
		if err != nil {
			return err
		}
		return drain(r, buffer)
	}, err
}

func smallObjstore(_ context.Context, server string) (putter, getter, error) {
	s, err := objstoreBucket(server)
	return s.put, func(ctx context.Context, key string, buffer []byte) error {
		r, err := s.bucket.Get(ctx, key)
		if err != nil {
			return err
		}
		return drain(r, buffer)
	}, err
}

// smallPlain is what nothing can do without: a request, unsigned.
func smallPlain(_ context.Context, server string) (putter, getter, error) {
	client := &http.Client{}
	do := func(ctx context.Context, method, key string, body io.Reader) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, method, server+"/"+s3Bucket+"/"+key, body)
		if err != nil {
			return nil, err
		}
		return client.Do(request)
	}
	return func(ctx context.Context, key string, data []byte) error {
			response, err := do(ctx, http.MethodPut, key, bytes.NewReader(data))
			if err != nil {
				return err
			}
			return response.Body.Close()
		}, func(ctx context.Context, key string, buffer []byte) error {
			response, err := do(ctx, http.MethodGet, key, nil)
			if err != nil {
				return err
			}
			return drain(response.Body, buffer)
		}, nil
}

// small does one thing with 1 KiB, over and over.
func small(server nullserver.Options, open func(ctx context.Context, server string) (func(key string, data []byte) error, error)) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		url, err := e.server(server)
		if err != nil {
			return nil, err
		}
		do, err := open(e.ctx, url)
		keys, data := make([]string, 64), make([]byte, kilobyte)
		for i := range keys {
			keys[i] = sized(kilobyte, i)
		}
		return func(n int) error {
			for i := range n {
				if err := do(keys[i%len(keys)], data); err != nil {
					return err
				}
			}
			return nil
		}, err
	}
}

func smallCases() []benchCase {
	// The same over TLS or not: sums travel in other ways.
	var all []benchCase
	for _, near := range []struct {
		name, title string
		server      nullserver.Options
	}{{"", "over TLS", nearTLS}, {"-plain", "over plain http", nearPlain}} {
		put := benchCase{
			name: "s3-put-1k" + near.name, title: "put 1 KiB that is in memory, " + near.title,
			goals: []goal{allocationsOver(ours, rawSDK, 3), allocations(120), lessCPU(ours, rawSDK, 0.5)},
		}
		get := benchCase{
			name: "s3-get-1k" + near.name, title: "get 1 KiB into a buffer, its checksum looked at by ours and by the SDK's, " + near.title,
			goals: []goal{allocationsOver(ours, rawSDK, 3), allocations(120), lessCPU(ours, rawSDK, 0.5)},
		}
		for _, s := range smallS3 {
			put.rows = append(put.rows, row{name: s.name, setup: small(near.server, func(ctx context.Context, server string) (func(string, []byte) error, error) {
				put, _, err := s.open(ctx, server)
				return func(key string, data []byte) error { return put(ctx, key, data) }, err
			})})
			get.rows = append(get.rows, row{name: s.name, setup: small(near.server, func(ctx context.Context, server string) (func(string, []byte) error, error) {
				_, get, err := s.open(ctx, server)
				return func(key string, buffer []byte) error { return get(ctx, key, buffer) }, err
			})})
		}
		all = append(all, put, get)
	}
	return all
}

// sized is a key of an object that the null server makes up.
func sized(bytes int64, i int) string { return fmt.Sprintf("%d/object-%06d", bytes, i) }
