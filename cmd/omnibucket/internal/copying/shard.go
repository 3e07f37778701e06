package copying

import (
	"strconv"
	"strings"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A scheduler holds the names of environment variables. The variables tell a task of a job its
// index and the number of tasks. Kubernetes has no variable with the number of tasks, so its count
// is "".
type scheduler struct{ index, first, step, count string }

// schedulers lists the schedulers that --shard auto supports.
//
//   - https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
//   - https://slurm.schedmd.com/job_array.html
//   - https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
//   - https://cloud.google.com/run/docs/container-contract#jobs-env-vars
var schedulers = []scheduler{
	{
		index: "SLURM_ARRAY_TASK_ID",
		first: "SLURM_ARRAY_TASK_MIN",
		step:  "SLURM_ARRAY_TASK_STEP",
		count: "SLURM_ARRAY_TASK_COUNT",
	},
	{index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE"},
	{index: "CLOUD_RUN_TASK_INDEX", count: "CLOUD_RUN_TASK_COUNT"},
	{index: "JOB_COMPLETION_INDEX"},
}

const (
	shardRule = "--shard must have the form I/N, with I from 0 to N-1, or be auto or auto/N"
	autoHint  = "run it in an array of Slurm or AWS Batch, or a job of Cloud Run or Kubernetes (as auto/N)"
)

// parseShard parses the value of --shard, which is I/N, or auto or auto/N to get I from the variables of a scheduler.
func parseShard(p *program.Program, text string) (index, count int, err error) {
	indexText, countText, hasCount := strings.Cut(text, "/")
	if indexText == "auto" {
		indexText, countText, err = taskIndex(p, countText, hasCount)
		if err != nil {
			return 0, 0, err
		}
	}

	// Unlike Atoi, ParseUint refuses a sign. Numbers of 31 bits fit into an int.
	i, indexErr := strconv.ParseUint(indexText, 10, 31)
	n, countErr := strconv.ParseUint(countText, 10, 31)
	if indexErr != nil || countErr != nil || i >= n {
		return 0, 0, argument.Invalid(shardRule, "")
	}
	return int(i), int(n), nil
}

// taskIndex returns the index of this task and the number of tasks, from the variables that a scheduler sets. If
// hasCount is true, the number is count, and the scheduler need not tell it.
func taskIndex(p *program.Program, count string, hasCount bool) (index, total string, err error) {
	for _, s := range schedulers {
		id, ok := p.Around.Lookup(s.index)
		if !ok {
			continue
		}

		if !hasCount {
			count, _ = p.Around.Lookup(s.count)
			if count == "" {
				return "", "", argument.Invalid("--shard auto must have the number of tasks, which "+s.index+
					" does not tell", "use auto/N")
			}
		}

		index, err = s.zeroBased(p, id)
		return index, count, err
	}
	return "", "", argument.Invalid("--shard auto must be used in a task of a scheduler", autoHint)
}

// zeroBased converts the id of a task to an index from 0. The ids of a Slurm array may begin with another number, in
// steps of more than 1, as in --array=10-40:10.
func (s scheduler) zeroBased(p *program.Program, id string) (string, error) {
	// The fields of s are names of variables. Only Slurm has one for the first id.
	if s.first == "" {
		return id, nil
	}
	number, err := strconv.Atoi(id)
	if err != nil {
		// parseShard refuses an id that is not a number.
		return id, nil
	}

	first, firstErr := lookupNumber(p, s.first, 0)
	step, stepErr := lookupNumber(p, s.step, 1)
	isValid := firstErr == nil && stepErr == nil && step >= 1 && (number-first)%step == 0
	if !isValid {
		return "", argument.Invalid("--shard auto must be used in an array with equal steps, such as --array=0-63", "")
	}
	return strconv.Itoa((number - first) / step), nil
}

// lookupNumber returns the number in an environment variable, or fallback if the variable is not set.
func lookupNumber(p *program.Program, variable string, fallback int) (int, error) {
	text, ok := p.Around.Lookup(variable)
	if !ok {
		return fallback, nil
	}
	return strconv.Atoi(text)
}
