package local

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"

	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// SigningKeys are secrets of at least 32 random bytes each. The first one signs, and each
// of them verifies, so that a key can be replaced while its links still work. Printing or
// encoding SigningKeys shows nothing.
//
// Use a key for one bucket, or for the buckets of one service. A signature covers the
// name of the bucket's directory, but not its path, so that links survive a move and work
// on every replica. If two directories with the same name (a/photos and b/photos) have
// the same key, a link to one also opens the other.
type SigningKeys = signedurl.Secrets

// signingKeyPath is the file with the bucket's own keys, one a line in hexadecimal. Only
// its owner can read it. The first key signs. Because of this file, links stay valid after
// a restart, and in every process that opens the directory.
const signingKeyPath = reserved + "/signing.key"

// signingKeys returns the keys of the bucket. If it has none, it makes one.
func (s *settings) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	keys, err := s.verifyingKeys()
	if err != nil || !keys.Empty() {
		return keys, err
	}
	if err := s.makeSigningKey(ctx); err != nil {
		return signedurl.Keys{}, err
	}
	return s.verifyingKeys()
}

// verifyingKeys returns the keys of the bucket, or no keys if it has none: then nothing
// was ever signed. It reads the file once while the bucket is open.
func (s *settings) verifyingKeys() (signedurl.Keys, error) {
	if !s.configKeys.Empty() {
		return s.configKeys, nil
	}
	if known := s.ownKeys.Load(); known != nil {
		return *known, nil
	}
	content, err := s.tree.root.ReadFile(signingKeyPath)
	if osdir.IsNotExist(err) {
		return signedurl.Keys{}, nil
	}
	if err != nil {
		return signedurl.Keys{}, failure(err)
	}
	keys, err := parseSigningKeys(content)
	if err != nil {
		return signedurl.Keys{}, damaged(signingKeyPath, err)
	}
	s.ownKeys.Store(&keys)
	return keys, nil
}

// parseSigningKeys parses the file of keys. Its errors show nothing of the content.
func parseSigningKeys(content []byte) (signedurl.Keys, error) {
	var secrets SigningKeys
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

// makeSigningKey stores a new key, unless another process has done so meanwhile.
func (s *settings) makeSigningKey(ctx context.Context) error {
	w, err := s.staging.dir(ctx)
	if err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, signingKeyPath)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.tree.root.Lstat(signingKeyPath); !osdir.IsNotExist(err) {
		return failure(err)
	}
	content := hex.EncodeToString(signedurl.NewSecret()) + "\n"
	return s.tree.replaceFile(signingKeyPath, w.dir.Path, []byte(content), 0o600)
}
