package local

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"

	"github.com/omnibucket/storage/internal/signedurl"
)

// SigningKeys are secrets of 32 random bytes or more each. The first signs; what
// any of them has signed is good, so that one can be replaced while links that it
// signed still work. As text or JSON they show nothing.
//
// A key is for one bucket, or for the buckets of one service: what it signs names
// the bucket by its directory's own name and nothing more, so that links survive
// a move and work on every replica. Of two directories of one name (a/photos and
// b/photos) with the same key each opens the other's links.
type SigningKeys = signedurl.Secrets

// secretPath holds the bucket's own secrets, one a line in hexadecimal, for who
// may write the bucket alone to read. The first signs. Links outlive a restart by
// it, and every process that opens the directory accepts them.
const secretPath = reserved + "/signing.key"

// signingKeys are those that sign: a bucket without a secret gets one.
func (s *store) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	keys, err := s.verifyingKeys()
	if err != nil || !keys.Empty() {
		return keys, err
	}
	if err := s.makeSecret(ctx); err != nil {
		return signedurl.Keys{}, err
	}
	return s.verifyingKeys()
}

// verifyingKeys are none where the bucket has no secret: nothing that was signed
// with one can be asked for. A secret is read once for as long as the bucket is
// open.
func (s *store) verifyingKeys() (signedurl.Keys, error) {
	if !s.given.Empty() {
		return s.given, nil
	}
	if known := s.secret.Load(); known != nil {
		return *known, nil
	}
	content, err := s.root.ReadFile(secretPath)
	if isNotExist(err) {
		return signedurl.Keys{}, nil
	}
	if err != nil {
		return signedurl.Keys{}, failure(err)
	}
	keys, err := parseSecret(content)
	if err != nil {
		return signedurl.Keys{}, damaged(secretPath, err)
	}
	s.secret.Store(&keys)
	return keys, nil
}

// parseSecret names nothing of the content in its error.
func parseSecret(content []byte) (signedurl.Keys, error) {
	var secrets SigningKeys
	for line := range bytes.Lines(content) {
		line = bytes.TrimSpace(line)
		secret, err := hex.AppendDecode(nil, line)
		if err != nil || len(secret) < signedurl.MinSecret {
			return signedurl.Keys{}, errors.New("a line is not a key of 32 bytes or more in hexadecimal")
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return signedurl.Keys{}, errors.New("there is no key")
	}
	return signedurl.NewKeys(secrets)
}

// makeSecret keeps a new secret, unless another process has done so meanwhile.
func (s *store) makeSecret(ctx context.Context) error {
	w, err := s.workshop(ctx)
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx, secretPath)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.root.Lstat(secretPath); !isNotExist(err) {
		return failure(err)
	}
	tmp := w.dir.name(randomName())
	if err := s.writeSecret(tmp, hex.EncodeToString(signedurl.NewSecret())+"\n"); err != nil {
		_ = s.root.Remove(tmp)
		return err
	}
	if err := persist(ctx, func() error { return s.root.Rename(tmp, secretPath) }); err != nil {
		_ = s.root.Remove(tmp)
		return failure(err)
	}
	return s.syncDir(reserved)
}

func (s *store) writeSecret(path, content string) error {
	f, err := s.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return s.lost(err)
	}
	_, err = f.WriteString(content)
	if err == nil && s.sync {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return failure(err)
}
