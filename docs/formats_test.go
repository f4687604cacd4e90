package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// stored are all the types whose JSON lies in Temporal.
var stored = []any{
	activities.Attempt{},
	activities.ExpressInput{},
	activities.SendWebhookInput{},
	activities.SendWebhookResult{},
	activities.Webhook{},
	workflows.Continuation{},
	workflows.DeliveryInput{},
	workflows.DeliveryResult{},
	workflows.HeldNotice{},
	workflows.HoldInput{},
	workflows.NoticeDelivery{},
	workflows.RedeliveryInput{},
	workflows.RedeliveryProgress{},
	workflows.ReleaseInput{},
	workflows.ReleaseResult{},
	workflows.UndeliveredNotice{},
}

// notStored are the string constants of the two packages that no one finds in Temporal.
var notStored = []string{"BuildID", "buildPrefix", "hashMark"}

// TestStoredNamesAreDocumented compares the members of everything that is stored in Temporal, and
// every string constant of the packages that store it, with formats.md and with the names of the
// releases before. A name that is stored stays for as long as something that has it may be there.
func TestStoredNamesAreDocumented(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, value := range stored {
		addMembers(names, reflect.TypeOf(value))
	}
	for _, dir := range []string{"activities", "internal/codec", "workflows"} {
		addConstants(t, names, filepath.Join("..", dir))
	}
	for _, key := range workflows.SearchAttributes() {
		names[key.GetName()] = true
	}
	document, err := os.ReadFile("formats.md")
	require.NoError(t, err)
	var missing []string
	for name := range names {
		if !strings.Contains(string(document), "`"+name) && !strings.Contains(string(document), `"`+name+`"`) {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	require.Empty(t, missing, "formats.md lacks these names")

	golden, err := os.ReadFile("testdata/stored-names.txt")
	require.NoError(t, err)
	require.Equal(t, strings.Fields(string(golden)), slices.Sorted(maps.Keys(names)),
		"names that were stored once must stay; enter new ones in testdata/stored-names.txt")
}

func addMembers(names map[string]bool, t reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			addMembers(names, field.Type)
			continue
		}
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names[name] = true
		}
	}
}

// addConstants adds the string constants of a package.
func addConstants(t *testing.T, names map[string]bool, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range tree.Decls {
			constants, ok := declaration.(*ast.GenDecl)
			if !ok || constants.Tok != token.CONST {
				continue
			}
			for _, spec := range constants.Specs {
				addConstant(t, names, spec.(*ast.ValueSpec))
			}
		}
	}
}

func addConstant(t *testing.T, names map[string]bool, spec *ast.ValueSpec) {
	t.Helper()
	for i, value := range spec.Values {
		literal, ok := value.(*ast.BasicLit)
		name := spec.Names[i].Name
		if !ok || literal.Kind != token.STRING || slices.Contains(notStored, name) || !ast.IsExported(name) && !strings.HasSuffix(name, "Prefix") {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		names[text] = true
	}
}
