package driverstore

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each version has exactly one ID. With a second ID, a request could evade a policy that denies the
// first. An ID of the driver is encoded if S3 does not permit its characters, or if it begins with
// "e.". The encoded ID begins with "e.".
func TestVersionHasOneID(t *testing.T) {
	const plain = "18eb2995cc829525-3b9fb6" // an id that clients see as it is
	b := &driverBucket{}

	// Each ID of the driver survives the encoding and the decoding.
	var anyTime time.Time // of the write, which counts only in a bucket with null versions
	for _, id := range []string{plain, "2026-11-25T02:00:00.0000000Z", "e.plain", "null?"} {
		versionID := b.shownVersion(id, anyTime)
		require.Equal(t, id, decodeVersion(versionID))
		require.Equal(t, versionID, b.shownVersion(decodeVersion(versionID), anyTime))
	}

	// The encoded form of an ID that needs no encoding does not name the same version.
	encoded := encodedVersion + base64.RawURLEncoding.EncodeToString([]byte(plain))
	require.NotEqual(t, plain, decodeVersion(encoded))

	// The last bits of the Base64 text also belong to the ID, although a lenient decoder ignores
	// them.
	require.NotEqual(t, decodeVersion("e.Pz8"), decodeVersion("e.Pz9"))
}
