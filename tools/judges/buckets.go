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

// bucket returns the name of a bucket on this server: two gateways may have the same store, where one
// cannot read what the other one has encrypted.
func (t task) bucket(name string) string { return cmp.Or(t.on.bucket, name+"-"+t.server) }

// client returns a client for what a suite expects to be there.
func (r running) client() (*minio.Client, error) {
	options := &minio.Options{
		Creds: credentials.NewStaticV4(r.main.key, r.main.secret, ""), Secure: r.tls(), Region: "us-east-1",
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

// makeBucket makes a bucket if it is missing: a server of the environment has those of earlier suites.
func makeBucket(ctx context.Context, client *minio.Client, name string, locks bool) error {
	found, err := client.BucketExists(ctx, name)
	if err != nil || found {
		return err
	}
	return client.MakeBucket(ctx, name, minio.MakeBucketOptions{ObjectLocking: locks})
}
