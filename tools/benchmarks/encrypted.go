package main

import (
	"context"
	"io"

	"filippo.io/age"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/encrypt"
)

const (
	oursEncrypted = ours + ", layers/encrypt"
	ageStream     = "age to feature/s3/manager"
)

var (
	s3Encrypted = amazon.ours(oursEncrypted, tuning{encrypted: true})
	s3Age       = contender{name: ageStream, open: openAge}
)

// encryptedUpload returns a case that compares an encrypted upload with a plain one. A third
// contender is the code that programs write if they encrypt with the library age themselves. limit
// is the largest number of bytes of memory that the encrypted upload may take.
func encryptedUpload(name, body string, limit float64, do func(context.Context, client, int) error) clientCase {
	return clientCase{
		provider:   amazon,
		name:       name,
		title:      "upload 1 GiB of " + body + " over TLS, encrypted and plain",
		server:     nearTLS,
		do:         do,
		amount:     4 * large,
		contenders: []contender{s3Encrypted, s3Ours, s3Age},
		goals:      []goal{memoryAtMost(oursEncrypted, limit)},
	}
}

func encryption() (driver.Layer, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	keys := encrypt.NewKeys([]age.Recipient{identity.Recipient()}, []age.Identity{identity})
	return encrypt.New(encrypt.Config{Keys: keys})
}

// openAge returns a client that encrypts with the library age itself, and uploads the result as one
// stream.
func openAge(e *env, server string) (client, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return client{}, err
	}
	plain, err := openManager(e, server)
	if err != nil {
		return client{}, err
	}
	upload := func(ctx context.Context, key string, body io.Reader, _ int64) error {
		src, err := age.EncryptReader(body, identity.Recipient())
		if err != nil {
			return err
		}
		return plain.upload(ctx, key, src, -1) // -1, because the encrypted length is not known
	}
	return client{put: putBy(upload), upload: upload}, nil
}
