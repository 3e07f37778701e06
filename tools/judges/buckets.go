package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket returns the name of a bucket for the tests on this server. Several gateways may use the
// same store, but a gateway that does not encrypt cannot read what a gateway with encryption has
// stored. So each gateway has its own buckets.
func (t task) bucket(name string) string { return cmp.Or(t.server.bucket, name+"-"+t.serverName) }

// client returns a client that creates the buckets that a suite expects on the server.
func (r runningServer) client() (*minio.Client, error) {
	options := &minio.Options{
		Creds:  credentials.NewStaticV4(r.main.key, r.main.secret, ""),
		Secure: r.tls(),
		Region: "us-east-1",
	}
	if r.certificate != "" {
		content, err := os.ReadFile(r.certificate)
		if err != nil {
			return nil, err
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(content)
		options.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	}
	return minio.New(r.host(), options)
}

// makeBucket creates a bucket if it does not exist. On a server that testservers has started, an
// earlier suite may have created it. If locks is true, the new bucket has object lock.
func makeBucket(ctx context.Context, client *minio.Client, name string, locks bool) error {
	exists, err := client.BucketExists(ctx, name)
	if err != nil || exists {
		return err
	}
	return client.MakeBucket(ctx, name, minio.MakeBucketOptions{ObjectLocking: locks})
}
