package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// MAC returns a MAC over several texts. It quotes each text, so that different lists of texts
// have different MACs.
func MAC(key []byte, texts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, text := range texts {
		_, _ = fmt.Fprintf(mac, "%q\n", text)
	}
	return mac.Sum(nil)
}
