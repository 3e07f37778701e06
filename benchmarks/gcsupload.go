package main

import (
	"context"
	"errors"
	"io"

	gcssdk "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

func sendOursGCS(ctx context.Context, server string) (sender, error) {
	b, err := ownGCS(ctx, server)
	return func(ctx context.Context, body io.Reader, _ int64) error {
		_, err := b.Upload(ctx, uploaded, body, storage.WithContentType(contentType))
		return err
	}, err
}

func sendRawGCS(set func(*gcssdk.Writer)) func(context.Context, string) (sender, error) {
	return func(ctx context.Context, server string) (sender, error) {
		bucket, err := gcsHandle(ctx, server)
		return func(ctx context.Context, body io.Reader, _ int64) error {
			w := bucket.Object(uploaded).NewWriter(ctx)
			w.ContentType = contentType
			set(w)
			_, err := io.Copy(w, body)
			return errors.Join(err, w.Close())
		}, err
	}
}

func sendGoCloudGCS(ctx context.Context, server string) (sender, error) {
	s, err := goCloudGCSBucket(ctx, server)
	return func(ctx context.Context, body io.Reader, _ int64) error { return s.upload(ctx, uploaded, body) }, err
}

func gcsTransferCases() []transferCase {
	return []transferCase{{
		name: "gcs-upload-stream", title: "upload 64 MiB of unknown length; " + farTitle,
		at: googleStorage.at(far), bytes: 64 * mebibyte,
		rows: []transferRow{
			{name: ours, open: sent(flowing, sendOursGCS)},
			{name: rawGCS, open: sent(flowing, sendRawGCS(func(*gcssdk.Writer) {}))},
			{name: rawGCS + ", chunks of 8 MiB", open: sent(flowing, sendRawGCS(func(w *gcssdk.Writer) { w.ChunkSize = 8 * mebibyte }))},
			{name: goCloudGCS, open: sent(flowing, sendGoCloudGCS)},
		},
		// Chunks go one after the other: nobody can be much faster than another.
		// Ours holds one that is sent and one that is read.
		goals: []goal{requestsAtMost(ours, 9), memoryAtMost(ours, 20*mebibyte), faster(ours, rawGCS, 0.95)},
	}}
}
