package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-kit/log"
	objstores3 "github.com/thanos-io/objstore/providers/s3"
	"gocloud.dev/blob/s3blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// A minioOpener opens a bucket of MinIO for one contender.
type minioOpener func(ctx context.Context, bucket string, server jobServer) (adapterStore, error)

// adaptersOnMinIO are the adapters over this library's S3 driver, and the other libraries' own
// drivers. Each has a bucket of its own.
func adaptersOnMinIO() []adapterRow {
	var rows []adapterRow
	for _, a := range adapters {
		rows = append(rows, minioRow(a.name, func(ctx context.Context, bucket string, server jobServer) (adapterStore, error) {
			b, err := minioOwn(ctx, bucket, server)
			if err != nil {
				return nil, err
			}
			return a.over(ctx, b), nil
		}))
	}
	return append(rows, minioRow(goCloudS3, minioGoCloud), minioRow(objstoreS3, minioObjstore))
}

func minioRow(name string, open minioOpener) adapterRow {
	return adapterRow{
		name: name,
		open: func(e *env) (adapterStore, error) {
			bucket, err := e.jobBucket()
			if err != nil {
				return nil, err
			}
			endpoint, key, secret := e.jobServer()
			return open(e.ctx, bucket, jobServer{endpoint, key, secret})
		},
		count: func(e *env) (adapterStore, func() map[string]int, error) {
			bucket, err := e.jobBucket()
			if err != nil {
				return nil, nil, err
			}
			endpoint, key, secret := e.jobServer()
			counting, counts, err := e.countingProxy(endpoint)
			if err != nil {
				return nil, nil, err
			}
			s, err := open(e.ctx, bucket, jobServer{counting, key, secret})
			return s, counts, err
		},
	}
}

// countedOp returns run, which adds the requests of its operations to those of e. They are
// counted once, through a server between the store and MinIO, which is not part of what is measured.
func countedOp(e *env, c adapterRow, op func(*env, adapterStore) (func(int) error, error), run func(int) error) (func(int) error, error) {
	s, counts, err := c.count(e)
	if err != nil {
		return nil, err
	}
	e.cleanup = append(e.cleanup, s.close)
	counted, err := op(e, s)
	if err != nil {
		return nil, err
	}
	if err := counted(1); err != nil { // what only the first operation asks does not count
		return nil, err
	}
	before := counts()
	if err := counted(1); err != nil {
		return nil, err
	}
	each := counts()
	for method := range each {
		each[method] -= before[method]
	}
	total, ok := e.shared["adapters-requests"].(map[string]int)
	if !ok {
		total = map[string]int{}
		e.shared["adapters-requests"] = total
		e.requests = func() (map[string]int, error) { return maps.Clone(total), nil }
	}
	return func(n int) error {
		for method, requests := range each {
			total[method] += n * requests
		}
		return run(n)
	}, nil
}

// countingProxy starts a server that counts the requests to target by method.
func (e *env) countingProxy(target string) (address string, counts func() map[string]int, err error) {
	to, err := url.Parse(target)
	if err != nil {
		return "", nil, err
	}
	var mu sync.Mutex
	seen := map[string]int{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // the signature has it
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Method]++
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	e.cleanup = append(e.cleanup, func() error { server.Close(); return nil })
	return server.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(seen)
	}, nil
}

func minioOwn(ctx context.Context, bucket string, server jobServer) (storage.Bucket, error) {
	profile, known := s3.NamedProfile("minio")
	if !known {
		return nil, fmt.Errorf("there is no profile of MinIO")
	}
	return s3.Open(ctx, s3.Config{
		Bucket: bucket, Region: s3Region, Endpoint: server.endpoint, PathStyle: new(true), Profile: &profile,
		AccessKeyID: server.key, SecretKey: server.secret,
	})
}

func minioGoCloud(ctx context.Context, bucket string, server jobServer) (adapterStore, error) {
	client := awss3.New(awss3.Options{
		Region: s3Region, BaseEndpoint: &server.endpoint, UsePathStyle: true,
		Credentials: awscredentials.NewStaticCredentialsProvider(server.key, server.secret, ""),
		// As config.LoadDefaultConfig sets them: a download is verified, as ours is.
		RequestChecksumCalculation:                aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation:                aws.ResponseChecksumValidationWhenSupported,
		DisableLogOutputChecksumValidationSkipped: true,
	})
	b, err := s3blob.OpenBucket(ctx, client, bucket, nil)
	return goCloud{bucket: b}, err
}

func minioObjstore(_ context.Context, bucket string, server jobServer) (adapterStore, error) {
	u, err := url.Parse(server.endpoint)
	if err != nil {
		return nil, err
	}
	config := objstores3.DefaultConfig
	config.Bucket, config.Endpoint, config.Region = bucket, u.Host, s3Region
	config.AccessKey, config.SecretKey, config.Insecure = server.key, server.secret, u.Scheme == "http"
	config.BucketLookupType = objstores3.PathLookup
	b, err := objstores3.NewBucketWithConfig(log.NewNopLogger(), config, "benchmarks", nil)
	return objstoreBucket{b}, err
}
