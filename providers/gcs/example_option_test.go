package gcs_test

import (
	"context"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// A bucket encrypts everything that it writes with a key of Cloud KMS; one object has another key.
func ExampleWithKMSKey() {
	ctx := context.Background()
	const keys = "projects/p/locations/europe-west1/keyRings/photos/cryptoKeys/"
	bucket, err := gcs.Open(ctx, gcs.Config{Bucket: "photos", KMSKey: keys + "default"})
	if err != nil {
		return
	}
	_, _ = bucket.Upload(ctx, "a.jpg", strings.NewReader("…"))
	_, _ = bucket.Upload(ctx, "b.jpg", strings.NewReader("…"), gcs.WithKMSKey(keys+"other"),
		gcs.WithCustomTime(time.Now()))
}

// Without the key the object can neither be read nor copied.
func ExampleWithCustomerKey() {
	ctx := context.Background()
	bucket, err := storage.Open(ctx, "gs://photos")
	if err != nil {
		return
	}
	var key [32]byte // from a store of secrets
	_, _ = bucket.Upload(ctx, "a.jpg", strings.NewReader("…"), gcs.WithCustomerKey(key[:]))
	_, _, _ = storage.ReadAll(ctx, bucket, "a.jpg", gcs.WithCustomerKey(key[:]))
	_, _ = storage.Copy(ctx, bucket, "plain.jpg", bucket, "a.jpg", gcs.WithSourceCustomerKey(key[:]))
}
