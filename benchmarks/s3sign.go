package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
)

// Signing asks no server.
const nowhere = "https://s3.us-east-1.amazonaws.com"

func signCases() []benchCase {
	signing := func(open func(ctx context.Context) (func(key string) error, error)) func(*env) (func(int) error, error) {
		return func(e *env) (func(int) error, error) {
			sign, err := open(e.ctx)
			keys := keyRing(64)
			return func(n int) error {
				for i := range n {
					if err := sign(keys[i%len(keys)]); err != nil {
						return err
					}
				}
				return nil
			}, err
		}
	}
	return []benchCase{{
		name: "s3-sign-get", title: "sign an address to download from, for an hour",
		rows: []row{
			{name: ours, setup: signing(func(ctx context.Context) (func(string) error, error) {
				b, err := ownS3(ctx, nowhere)
				return func(key string) error {
					_, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(time.Hour))
					return err
				}, err
			})},
			{name: rawSDK, setup: signing(func(ctx context.Context) (func(string) error, error) {
				client := awss3.NewPresignClient(sdk(nowhere))
				return func(key string) error {
					_, err := client.PresignGetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key}, awss3.WithPresignExpires(time.Hour))
					return err
				}, nil
			})},
			{name: minioGo, setup: signing(func(ctx context.Context) (func(string) error, error) {
				client, err := minioClient(nowhere)
				return func(key string) error {
					_, err := client.PresignedGetObject(ctx, s3Bucket, key, time.Hour, nil)
					return err
				}, err
			})},
		},
		goals: []goal{asFast(rawSDK, 5), asFast(rawSDK, 20)},
	}}
}
