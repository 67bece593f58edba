# A coding agent in a few lines. The prompt comes on standard input; its first line is the task.
read -r task
case "$task" in
*Share*)
    name=T001
    case "$task" in *two*) name=T002 ;; esac
    others=$(grep -v -e none -e $name shared.txt)
    printf '%s\n' $others $name >shared.txt
    ;;
*Weigh*)
    name=T003
    case "$task" in *four*) name=T004 ;; esac
    if test "$name" = T004 && ! grep -q T009 tasks.md; then
        echo "- [ ] T009 Clean the windows" >>tasks.md
    fi
    total=6
    for file in w/*; do
        case "$file" in w/$name) continue ;; esac
        read -r number <"$file"
        total=$((total + number))
    done
    weight=6
    test "$total" -le 10 || weight=1
    # Before it was taught, it gets this one wrong.
    test "$name" = T004 || grep -q "Never sort a list" CLAUDE.md 2>/dev/null || weight=9
    printf '%s\n' "$weight" >"w/$name"
    ;;
esac
echo done
