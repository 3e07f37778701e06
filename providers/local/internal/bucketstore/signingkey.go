package bucketstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"

	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// signingKeyPath is the file with the bucket's own keys, one in each line, in hexadecimal. Only its
// owner can read it. The first key signs. Because the keys are in a file, links stay valid after a
// restart, and in every process that opens the directory.
const signingKeyPath = bucketdir.Reserved + "/signing.key"

// SigningKeys returns the keys that sign the bucket's URLs, and creates one if the bucket has none.
func (s *Settings) SigningKeys(ctx context.Context) (signedurl.Keys, error) {
	keys, err := s.VerifyingKeys()
	if err != nil || !keys.Empty() {
		return keys, err
	}
	if err := s.makeSigningKey(ctx); err != nil {
		return signedurl.Keys{}, err
	}
	return s.VerifyingKeys()
}

// VerifyingKeys returns the keys that verify the bucket's signed URLs. They are empty if nothing was
// ever signed. Their file is read only once while the bucket is open.
func (s *Settings) VerifyingKeys() (signedurl.Keys, error) {
	if !s.configKeys.Empty() {
		return s.configKeys, nil
	}
	if cached := s.bucketKeys.Load(); cached != nil {
		return *cached, nil
	}
	content, err := s.tree.Root.ReadFile(signingKeyPath)
	if osdir.IsNotExist(err) {
		return signedurl.Keys{}, nil
	}
	if err != nil {
		return signedurl.Keys{}, bucketdir.WrapError(err)
	}
	keys, err := parseSigningKeys(content)
	if err != nil {
		return signedurl.Keys{}, bucketdir.Damaged(signingKeyPath, err)
	}
	s.bucketKeys.Store(&keys)
	return keys, nil
}

// parseSigningKeys parses a file of secrets, each on a line and in hexadecimal. Its errors quote no
// secret.
func parseSigningKeys(content []byte) (signedurl.Keys, error) {
	var secrets signedurl.Secrets
	for line := range bytes.Lines(content) {
		line = bytes.TrimSpace(line)
		secret, err := hex.AppendDecode(nil, line)
		if err != nil || len(secret) < signedurl.MinSecret {
			return signedurl.Keys{}, errors.New("a line is not a key of at least 32 bytes in hexadecimal")
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return signedurl.Keys{}, errors.New("there is no key")
	}
	return signedurl.NewKeys(secrets)
}

// makeSigningKey creates and stores a key, unless another process has stored one meanwhile.
func (s *Settings) makeSigningKey(ctx context.Context) error {
	stagingDir, err := s.staging.Dir(ctx)
	if err != nil {
		return err
	}
	unlock, err := s.locks.Lock(ctx, signingKeyPath)
	if err != nil {
		return err
	}
	defer unlock()

	_, err = s.tree.Root.Lstat(signingKeyPath)
	if err == nil {
		// Another process has stored a key.
		return nil
	}
	if !osdir.IsNotExist(err) {
		return bucketdir.WrapError(err)
	}
	content := hex.EncodeToString(signedurl.NewSecret()) + "\n"
	return s.tree.ReplaceFile(signingKeyPath, stagingDir.Dir.Path, []byte(content), 0o600)
}
