package s3probe

import (
	"bytes"
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/s3"
)

// checkKMS checks that an object can be written with SSE-KMS, that is, with a key of a key management
// service. If the server ignores the header, the attributes show another encryption.
func checkKMS(ctx context.Context, p *probe) (Verdict, string) {
	b := engine.New(p.s3)
	key := p.prefix + "kms"
	_, err := b.Upload(ctx, key, strings.NewReader("kms"), s3.WithKMSContext(map[string]string{"omnibucket": "probe"}))
	if err != nil {
		return inconclusive("a write with SSE-KMS", err)
	}

	attrs, err := b.Attrs(ctx, key)
	if err != nil {
		return inconclusive("reading the attributes", err)
	}
	if attrs.Encryption.Algorithm != "aws:kms" {
		return Ignored, "the object was stored with the encryption \"" + attrs.Encryption.Algorithm + "\""
	}
	return Enforced, ""
}

// checkCustomerKey checks that only the customer's key of a write can read the object.
func checkCustomerKey(ctx context.Context, p *probe) (Verdict, string) {
	b := engine.New(p.s3)
	key := p.prefix + "customer-key"
	const keySize = 32
	withKey := s3.WithCustomerKey(bytes.Repeat([]byte{1}, keySize))
	withOtherKey := s3.WithCustomerKey(bytes.Repeat([]byte{2}, keySize))
	write := func() error {
		_, err := b.Upload(ctx, key, strings.NewReader("customer-key"), withKey)
		return err
	}
	read := func(opts ...storage.DownloadOption) error {
		_, _, err := storage.ReadAll(ctx, b, key, opts...)
		return err
	}
	return runSteps(
		expectSuccess("a write with a customer's key", write),
		expectNoRead("a read without the key", func() error { return read() }),
		expectSuccess("a read with the key", func() error { return read(withKey) }),
		expectNoRead("a read with another key", func() error { return read(withOtherKey) }),
	)
}

func expectNoRead(name string, fn func() error) step {
	return expectFailure(name, name+" succeeded", fn, storage.InvalidArgument, storage.PermissionDenied)
}
