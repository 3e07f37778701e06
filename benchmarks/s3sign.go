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
	return []benchCase{{
		name: "s3-sign-get", title: "sign an address to download from, for an hour",
		rows: []row{
			{name: ours, setup: signed(func(ctx context.Context) (func(string) error, error) {
				b, err := ownS3(ctx, nowhere)
				return func(key string) error {
					_, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(time.Hour))
					return err
				}, err
			})},
			{name: rawSDK, setup: signed(func(ctx context.Context) (func(string) error, error) {
				client := awss3.NewPresignClient(sdk(nowhere))
				return func(key string) error {
					_, err := client.PresignGetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key}, awss3.WithPresignExpires(time.Hour))
					return err
				}, nil
			})},
			{name: minioGo, setup: signed(func(ctx context.Context) (func(string) error, error) {
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
