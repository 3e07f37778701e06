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
const signingKeyPath = reserved + "/signing.key"

// signingKeys are those that sign: a bucket without a secret gets one.
func (s *store) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	keys, err := s.verifyingKeys()
	if err != nil || !keys.Empty() {
		return keys, err
	}
	if err := s.makeSigningKey(ctx); err != nil {
		return signedurl.Keys{}, err
	}
	return s.verifyingKeys()
}

// verifyingKeys are none where the bucket has no secret: nothing that was signed
// with one can be asked for. A secret is read once for as long as the bucket is
// open.
func (s *store) verifyingKeys() (signedurl.Keys, error) {
	if !s.configKeys.Empty() {
		return s.configKeys, nil
	}
	if known := s.ownKeys.Load(); known != nil {
		return *known, nil
	}
	content, err := s.root.ReadFile(signingKeyPath)
	if isNotExist(err) {
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

// parseSecret names nothing of the content in its error.
func parseSigningKeys(content []byte) (signedurl.Keys, error) {
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
func (s *store) makeSigningKey(ctx context.Context) error {
	w, err := s.stagingDir(ctx)
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx, signingKeyPath)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.root.Lstat(signingKeyPath); !isNotExist(err) {
		return failure(err)
	}
	tmp := w.dir.name(randomName())
	if err := s.writeSigningKey(tmp, hex.EncodeToString(signedurl.NewSecret())+"\n"); err != nil {
		_ = s.root.Remove(tmp)
		return err
	}
	if err := retryInUse(ctx, func() error { return s.root.Rename(tmp, signingKeyPath) }); err != nil {
		_ = s.root.Remove(tmp)
		return failure(err)
	}
	return s.syncDir(reserved)
}

func (s *store) writeSigningKey(path, content string) error {
	f, err := s.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return s.pathLostError(err)
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
