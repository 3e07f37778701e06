package main

import (
	"fmt"
	"slices"
	"strings"

	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
)

// A growth is a line of plots that the case is a point of.
type growth struct {
	name, title string
	at          int // where the point is
	unit        func(int) string
}

// growthCases repeat a case with more keys or more bytes, for plots of time and memory over size.
func growthCases(keys int) []benchCase {
	var all []benchCase
	for _, n := range []int{keys / 100, keys / 10, keys} {
		all = append(all,
			grown(benchCase{rows: onceRow(rowsInMemory(listOp(n, "")), goCloudMem)},
				growth{"growth-list-memory", "list all keys of a bucket in memory, in pages of 1,000", n, keyCount}),
			grown(benchCase{rows: listRows(n)},
				growth{"growth-list-directory", "list all files of a directory with their sizes, in pages of 1,000", n, keyCount}))
	}
	for _, n := range []int{16 * mebibyte, 64 * mebibyte, 256 * mebibyte, 1024 * mebibyte} {
		upload := clientCase{
			provider: amazon, server: nearPlain, do: uploadStream, amount: n,
			contenders: []contender{s3Ours, s3Manager, s3Parts, s3GoCloud, s3Minio.onlyOnce()},
		}
		download := clientCase{
			provider: amazon, server: nearPlain, do: download, amount: n,
			contenders: []contender{s3Ours, s3Raw, s3TransferManager(transferRanges, transfertypes.GetObjectRanges), s3GoCloud, s3Minio},
		}
		all = append(all,
			grown(upload.benchCase(), growth{"growth-upload", "upload one object of unknown length, over plain http on one machine", n, mebibytes}),
			grown(download.benchCase(), growth{"growth-download", "read one object in order, over plain http on one machine", n, mebibytes}))
	}
	slices.SortStableFunc(all, func(a, b benchCase) int { return strings.Compare(a.grows.name, b.grows.name) })
	return all
}

// grown makes the case a point of g.
func grown(c benchCase, g growth) benchCase {
	c.name, c.title, c.grows = fmt.Sprintf("%s-%d", g.name, g.at), g.title+": "+g.unit(g.at), &g
	return c
}

func keyCount(n int) string { return fmt.Sprintf("%d keys", n) }

func mebibytes(n int) string { return fmt.Sprintf("%d MiB", n/mebibyte) }
