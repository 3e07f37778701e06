package a

import "github.com/omnibucket/storage"

type audited struct {
	storage.Bucket // want `embed a storage.Core`
}

type layer struct{ storage.Core }

type holder struct{ bucket storage.Bucket }

type Bucket interface{ Exists() bool }

type own struct{ Bucket }

func local() {
	var view struct {
		name           string
		storage.Bucket // want `embed a storage.Core`
	}
	_ = view
}
