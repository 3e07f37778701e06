package main

import (
	"fmt"

	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
)

// A growth is a line of plots that the case is a point of.
type growth struct {
	name, title string
	at          int // where the point is
	unit        func(int) string
}

// growthCases repeat listings with more keys, for plots of time and memory over size.
func growthCases(keys int) []benchCase {
	sizes := []int{keys / 100, keys / 10, keys}
	var all []benchCase
	for _, n := range sizes {
		g := growth{"growth-list-memory", "list all keys of a bucket in memory, in pages of 1,000", n, keyCount}
		all = append(all, benchCase{name: g.caseName(), title: g.caseTitle(), grows: &g, rows: onceRow(rowsInMemory(listOp(n, "")), goCloudMem)})
	}
	for _, n := range sizes {
		g := growth{"growth-list-directory", "list all files of a directory with their sizes, in pages of 1,000", n, keyCount}
		all = append(all, benchCase{name: g.caseName(), title: g.caseTitle(), grows: &g, rows: listRows(n)})
	}
	return all
}

// growthTransfers repeat transfers of larger and larger objects.
func growthTransfers() []clientCase {
	var all []clientCase
	for _, n := range []int{16 * mebibyte, 64 * mebibyte, 256 * mebibyte, 1024 * mebibyte} {
		upload := growth{"growth-upload", "upload one object of unknown length, over plain http on one machine", n, mebibytes}
		read := growth{"growth-download", "read one object in order, over plain http on one machine", n, mebibytes}
		all = append(all,
			clientCase{
				provider: amazon, name: upload.caseName(), title: upload.caseTitle(), grows: &upload,
				server: nearPlain, do: uploadStream, amount: n,
				contenders: []contender{s3Ours, s3Manager, s3Parts, s3GoCloud, s3Minio.onlyOnce()},
			},
			clientCase{
				provider: amazon, name: read.caseName(), title: read.caseTitle(), grows: &read,
				server: nearPlain, do: download, amount: n,
				contenders: []contender{s3Ours, s3Raw, s3TransferManager(transferRanges, transfertypes.GetObjectRanges), s3GoCloud, s3Minio},
			})
	}
	return all
}

func (g growth) caseName() string { return fmt.Sprintf("%s-%d", g.name, g.at) }

func (g growth) caseTitle() string { return g.title + ": " + g.unit(g.at) }

func keyCount(n int) string { return fmt.Sprintf("%d keys", n) }

func mebibytes(n int) string { return fmt.Sprintf("%d MiB", n/mebibyte) }
