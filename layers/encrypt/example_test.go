package encrypt_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"filippo.io/age"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/encrypt"
	_ "github.com/omnibucket/storage/memstore"
)

// identityFile returns what age-keygen writes. In a program it comes from a file or a secret manager.
func identityFile() string {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		log.Fatal(err)
	}
	return "# created for an example\n" + identity.String() + "\n"
}

// openEncrypted opens a bucket whose store sees only encrypted bytes.
func openEncrypted(ctx context.Context, address, identities string) (storage.Bucket, error) {
	keys, err := encrypt.ParseKeys(strings.NewReader(identities))
	if err != nil {
		return nil, err
	}
	layer, err := encrypt.New(encrypt.Config{Keys: keys})
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, address, driver.WithLayer(layer))
}

func Example() {
	ctx := context.Background()
	bucket, err := openEncrypted(ctx, "mem://encrypted", identityFile())
	if err != nil {
		log.Fatal(err)
	}
	attrs, err := bucket.Upload(ctx, "letter.txt", strings.NewReader("Dear Alice"))
	if err != nil {
		log.Fatal(err)
	}
	plaintext, _, err := storage.ReadAll(ctx, bucket, "letter.txt")
	if err != nil {
		log.Fatal(err)
	}
	store, err := storage.Open(ctx, "mem://encrypted")
	if err != nil {
		log.Fatal(err)
	}
	existing, err := store.Attrs(ctx, "letter.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes: %s\n", attrs.Size, plaintext)
	fmt.Printf("%d bytes in the store\n", existing.Size)
	// Output:
	// 10 bytes: Dear Alice
	// 26 bytes in the store
}

// rotate encrypts the data key of each object for the first identity of the file. Afterwards the other
// identities can be removed from it.
func rotate(ctx context.Context, bucket storage.Bucket) error {
	_, err := encrypt.RewrapAll(ctx, bucket, encrypt.RewrapConfig{})
	return err
}

// After a new identity was put first in the file of identities, RewrapAll wraps the key of each
// object for it.
func ExampleRewrapAll() {
	ctx := context.Background()
	bucket, err := openEncrypted(ctx, "mem://rotated", identityFile())
	if err != nil {
		log.Fatal(err)
	}
	if _, err = bucket.Upload(ctx, "letter.txt", strings.NewReader("Dear Alice")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(rotate(ctx, bucket))
	// Output: <nil>
}
