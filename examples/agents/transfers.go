package agents

import (
	"context"
	"log"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// archive copies a.txt to another store. It also gives b.txt a new key in the same store.
func archive(ctx context.Context, dst, src storage.Bucket) error {
	if _, err := storage.Copy(ctx, dst, "copies/a.txt", src, "a.txt"); err != nil {
		return err
	}
	_, err := storage.Move(ctx, src, "b.txt", "old/b.txt")
	return err
}

// sync copies objects that are new or changed. After a failure or a kill, call it again: it skips
// objects that were copied completely.
func sync(ctx context.Context, dst, src storage.Bucket) error {
	report, err := transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src))
	log.Println(report) // also after an error
	return err
}
