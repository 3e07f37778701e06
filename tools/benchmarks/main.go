// Benchmarks compares omnibucket with alternatives. It runs them in turn, in one
// process, and reports ratios between rows of one run, or stable figures such as
// allocations. An absolute time is never a result.
//
//	go run . [-run REGEXP] [-rounds 5] [-files 100000] [-profile DIR] [-list] [-record DIR]
//
// Each case runs its contenders one after the other, -rounds times. In a round, each
// runs a fixed number of operations that takes about -per. The output has medians; a
// ratio is the median of the ratios of each round.
//
// With -record, the raw results go into DIR/results.json, where they replace those of the
// same cases, and a plot of each case in DIR is drawn again.
//
// The times of local cases depend on the disk. With TMPDIR=/dev/shm, only the cases
// that sync use it.
//
// The cases of S3, Google Cloud Storage and Azure use a null server in a process of
// its own. In cases that transfer much data, each contender runs in a process of its
// own, too, whose peak memory and CPU time are reported. The servers' certificate
// works on systems that keep certificates in files. Resident memory is reported on
// Linux.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

func main() {
	if name := os.Getenv(childVariable); name != "" {
		exitOn(runChild(name))
		return
	}
	pattern := flag.String("run", "", "run the cases that match this `regexp`")
	rounds := flag.Int("rounds", 5, "rounds of each case")
	per := flag.Duration("per", 150*time.Millisecond, "approximate time of one contender in a round")
	flag.IntVar(
		&listedKeys, "files", listedKeys,
		"keys and files in listings, and small files for S3 servers; goals are for 100,000",
	)
	flag.Int64Var(
		&commandLineLarge, "large", commandLineLarge,
		"`MiB` of the large file in the cases of the command line and of S3 servers",
	)
	names := flag.Bool("list", false, "only print the names of the cases")
	flag.StringVar(
		&profiles, "profile", "",
		"write CPU profiles of the transfers to and from servers into this `directory`",
	)
	recorded := flag.String("record", "", "write results and plots into this `directory`")
	flag.Parse()
	chosen, err := regexp.Compile(*pattern)
	exitOn(err)

	defer removeCertificate()
	fmt.Println(machine())
	if profiles != "" {
		exitOn(os.MkdirAll(profiles, 0o755))
	}
	all, err := record.Read(*recorded)
	exitOn(err)
	if !*names {
		_, err = trusted() // before a client reads the certificates of the system
		exitOn(err)
	}
	missed, run := 0, []record.Case{}
	for _, c := range cases(listedKeys) {
		if !chosen.MatchString(c.name) {
			continue
		}
		if *names {
			fmt.Println(c.name)
			continue
		}
		results, err := measure(c, *rounds, *per)
		exitOn(err)
		missed += report(os.Stdout, c, results)
		k := recordOf(c, results, time.Now())
		all.Put(k)
		run = append(run, k)
	}
	missed += reportGrowth(os.Stdout, run)
	if *recorded != "" {
		exitOn(all.Write(*recorded))
	}
	if missed > 0 {
		fmt.Printf("\n%d goals missed\n", missed)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		removeCertificate()
		os.Exit(1)
	}
}

// cases returns all cases. Listings of memory and local have that many keys.
func cases(keys int) []benchCase {
	all := slices.Concat(
		memoryCases(keys), layerCases(), overlayCases(), mirrorCases(), localCases(keys), serveCases(), adapterCases(),
		growthCases(keys),
	)
	for _, c := range clientCases() {
		all = append(all, c.benchCase())
	}
	return slices.Concat(
		all, tailCases(), transferJobCases(), startCases(), commandLineCases(), throttledJobCases(), s3ServerCases(),
	)
}
